from django.contrib import admin
from django.contrib.auth import views as accounts
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView

from exceptions_app.api import docs
from exceptions_app.api.hooks import Hook
from exceptions_app.api.schema import Schema
from workbench import (
    health,
    oauth,
    oidc_pages,
    proofs,
    scim,
    second_factor_pages,
    service_pages,
    session_pages,
    signing_in,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    # One way in and one way out, before the administration's own.
    path("admin/login/", signing_in.sign_in_to_administration),
    path("admin/logout/", signing_in.SignOut.as_view()),
    path("admin/password_change/", RedirectView.as_view(pattern_name="password_change")),
    path("admin/", admin.site.urls),
    path("accounts/login/", signing_in.SignIn.as_view(), name="login"),
    path("accounts/login/code/", signing_in.SignInWithCode.as_view(), name="login_code"),
    path("accounts/login/passkey/", signing_in.SignInWithPasskey.as_view(), name="login_passkey"),
    path("accounts/second-factor/passkey/", second_factor_pages.add_passkey, name="passkey_add"),
    path("accounts/second-factor/passkey/remove/", second_factor_pages.remove_passkey, name="passkey_remove"),
    path("accounts/oidc/", oidc_pages.go, name="oidc"),
    path("accounts/oidc/callback/", oidc_pages.come_back, name="oidc_callback"),
    path("accounts/prove/", proofs.Prove.as_view(), name="prove"),
    path("accounts/second-factor/", second_factor_pages.overview, name="second_factor"),
    path("accounts/second-factor/set-up/", second_factor_pages.set_up, name="second_factor_set_up"),
    path("accounts/second-factor/codes/", second_factor_pages.renew_codes, name="recovery_codes_renew"),
    path("accounts/second-factor/remove/", second_factor_pages.remove, name="second_factor_remove"),
    path("accounts/sessions/", session_pages.sessions, name="sessions"),
    path("accounts/sessions/end/", session_pages.end, name="sessions_end"),
    path("accounts/services/", service_pages.service_accounts, name="services"),
    path("accounts/services/make/", service_pages.make, {"ref": "services"}, name="service_make"),
    path("accounts/services/<int:number>/tokens/", service_pages.make_token, {"ref": "services"}, name="service_token"),
    path("accounts/services/<int:number>/withdraw/", service_pages.withdraw_token, name="service_token_withdraw"),
    path("accounts/services/<int:number>/end/", service_pages.end, name="service_end"),
    path("accounts/logout/", signing_in.SignOut.as_view(), name="logout"),
    path("accounts/password/", signing_in.PasswordChange.as_view(), name="password_change"),
    path("accounts/password/done/", accounts.PasswordChangeDoneView.as_view(), name="password_change_done"),
    path("scim/v2/ServiceProviderConfig", scim.Told.as_view(), name="scim_provider"),
    path("scim/v2/ResourceTypes", scim.ResourceTypes.as_view(), name="scim_types"),
    path("scim/v2/ResourceTypes/<str:ref>", scim.ResourceTypes.as_view(), name="scim_type"),
    path("scim/v2/Schemas", scim.Schemas.as_view(), name="scim_schemas"),
    path("scim/v2/Schemas/<str:ref>", scim.Schemas.as_view(), name="scim_schema"),
    path("scim/v2/Users", scim.Users.as_view(), name="scim_users"),
    path("scim/v2/Users/<int:number>", scim.OneUser.as_view(), name="scim_user"),
    path("scim/v2/Groups", scim.Groups.as_view(), name="scim_groups"),
    path("scim/v2/Groups/<str:ref>", scim.OneGroup.as_view(), name="scim_group"),
    path("oauth/token", oauth.token, name="oauth_token"),
    # With a slash at the end or without: a redirect would lose the body, and count as a failure.
    re_path(r"^hooks/(?P<slug>[-\w]+)/?$", Hook.as_view(), name="hook"),
    path("api/v1/", include("exceptions_app.api.urls")),
    path("api/schema/", Schema.as_view(), name="schema"),
    path("api/docs/", docs.api_reference, name="api-docs"),
    path("api/docs/try/", docs.TryOut.as_view(), name="api-try"),
    path("api/problems/", docs.problems, name="api-problems"),
    path("", include("exceptions_app.urls")),
]

handler400 = "workbench.errors.bad_request"
handler403 = "workbench.errors.permission_denied"
handler404 = "workbench.errors.not_found"
handler500 = "workbench.errors.server_error"
