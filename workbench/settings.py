"""One settings file, driven by the environment. `WB_PROFILE` is development (the default), test or production.

Secrets are also read from the file that `NAME_FILE` names. See docs/operations.md for every variable.
"""

import gc
from pathlib import Path

import django_stubs_ext
from cryptography.fernet import Fernet
from csp.constants import NONE, SELF
from django.core.management.utils import get_random_secret_key

from workbench import environment, logs

# What is loaded at the start stays: to look through it again and again is a quarter of the time that a process takes
# to begin. `WorkbenchConfig.ready` lets the collector begin.
gc.disable()

# Classes of Django take type arguments in their stubs; this lets them take them at run time too.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
PROFILE = environment.choice("WB_PROFILE", ("development", "test", "production"), default="development")
PRODUCTION = PROFILE == "production"
WB_HOME = Path(environment.text("WB_HOME", default=str(BASE_DIR / "var")))
DEBUG = environment.boolean("WB_DEBUG", default=False)
# What `./run` started itself, for the check that keeps such servers away from the outside world.
EMBEDDED_SERVERS = environment.words("WB_EMBEDDED")
LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]"]

# Security -------------------------------------------------------------------------------------------------------

if PRODUCTION:
    SECRET_KEY = environment.required("SECRET_KEY", write="at least 50 random characters")
    environment.required("ALLOWED_HOSTS", write="the host names of this service, comma separated")
else:
    # `./run` passes the key that it keeps; a key for this process alone will do for a single command.
    SECRET_KEY = environment.secret("SECRET_KEY") or get_random_secret_key()
SECRET_KEY_FALLBACKS = [key for key in environment.secret("SECRET_KEY_FALLBACKS").split(",") if key]
ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS", default=LOCAL_HOSTS)
CSRF_TRUSTED_ORIGINS = environment.words("CSRF_TRUSTED_ORIGINS")

SECURE_SSL_REDIRECT = environment.boolean("SECURE_SSL_REDIRECT", default=PRODUCTION)
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$"]  # probes come from inside, without TLS
SECURE_HSTS_SECONDS = environment.integer("SECURE_HSTS_SECONDS", default=365 * 24 * 3600 if PRODUCTION else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = environment.boolean("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=PRODUCTION)
SECURE_HSTS_PRELOAD = environment.boolean("SECURE_HSTS_PRELOAD", default=PRODUCTION)
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
# A browser takes a cookie of such a name only over TLS, for all paths, and gives it to no other host.
COOKIE_PREFIX = "__Host-" if PRODUCTION else ""
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}sessionid"
SESSION_COOKIE_SECURE = PRODUCTION
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = environment.integer("SESSION_COOKIE_AGE", default=12 * 3600, minimum=60)
SESSION_ENGINE = "workbench.session_store"
CSRF_FAILURE_VIEW = "exceptions_app.views.errors.csrf_failure"
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrftoken"
CSRF_COOKIE_SECURE = PRODUCTION
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
MESSAGE_STORAGE = "workbench.notices.Notices"
# A proxy that ends TLS must set this header and strip it from what comes in; without a proxy leave it empty.
_PROXY_SSL_HEADER = environment.text("SECURE_PROXY_SSL_HEADER")
if _PROXY_SSL_HEADER:
    SECURE_PROXY_SSL_HEADER = ("HTTP_" + _PROXY_SSL_HEADER.upper().replace("-", "_"), "https")
# The header in which a proxy says who is connected to it; its last entry counts. Without a proxy leave it empty.
CLIENT_ADDRESS_HEADER = environment.text("CLIENT_ADDRESS_HEADER")

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
if PROFILE == "test":
    # Deliberately slow hashing is no use where every password is thrown away.
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "CommonPasswordValidator", "NumericPasswordValidator")
] + [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    # Names of the company and its products, beside those that are known here.
    {
        "NAME": "workbench.passwords.OwnWordsValidator",
        "OPTIONS": {"words": environment.words("WB_PASSWORD_WORDS", default=[])},
    },
]
AUTH_USER_MODEL = "workbench.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend", "guardian.backends.ObjectPermissionBackend"]
ANONYMOUS_USER_NAME = None
GUARDIAN_MONKEY_PATCH_USER = False
GUARDIAN_MONKEY_PATCH_GROUP = False
LOGIN_URL = "login"
# What is stored of a second factor is sealed by the adapter; codes are asked for by our own pages.
MFA_ADAPTER = "workbench.second_factor.Adapter"
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TRUST_ENABLED = False
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
# Single sign-on by OpenID Connect; without an issuer there is none. Which groups of its have which roles here.
# With a slash at the end or without it is the same provider, and people keep their accounts.
OIDC_ISSUER = environment.text("WB_OIDC_ISSUER").rstrip("/")
OIDC_CLIENT_ID = environment.text("WB_OIDC_CLIENT_ID")
OIDC_CLIENT_SECRET = environment.secret("WB_OIDC_CLIENT_SECRET")
OIDC_NAME = environment.text("WB_OIDC_NAME", default="single sign-on")
OIDC_GROUPS_CLAIM = environment.text("WB_OIDC_GROUPS_CLAIM", default="groups")
OIDC_ROLES = environment.mapping("WB_OIDC_ROLES")
# Without them passwords sign in superusers alone, for the day on which the provider is away.
LOCAL_PASSWORDS = environment.boolean("WB_LOCAL_PASSWORDS", default=True)
# Of whom a second factor is demanded: staff, approvers, both, everybody, or nobody.
SECOND_FACTOR_FOR = environment.some("WB_SECOND_FACTOR_FOR", ("staff", "approvers", "everybody"))
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"

# Application ----------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "workbench",  # first: its `migrate` goes before Django's
    "exceptions_app",
    "integrations",
    "audit",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",  # needed by the next one; its pages are not served
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "csp",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "guardian",
    "pgtrigger",
    "rest_framework",
    "simple_history",
]
MIDDLEWARE = [
    "workbench.middleware.RequestIDMiddleware",
    "csp.middleware.CSPMiddleware",  # before what answers by itself, so that every answer has the policy
    "workbench.middleware.NoDetourMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "workbench.middleware.NotKeptMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "workbench.languages.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "exceptions_app.emergency_marks.EmergencyMiddleware",  # around what writes events
    "exceptions_app.refusing.RefusedMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "exceptions_app.veiling.VeilMiddleware",
    "workbench.middleware.SecondFactorMiddleware",
    "workbench.middleware.TimeZoneMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "workbench.middleware.SeenMiddleware",
    "workbench.step_up.StepUpMiddleware",
]
# The administration changes configuration through one action, which would not see what a "revert" puts back.
SIMPLE_HISTORY_REVERT_DISABLED = True
ROOT_URLCONF = "workbench.urls"
WSGI_APPLICATION = "workbench.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["exceptions_app.templatetags.wording"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "exceptions_app.navigation.surroundings",
            ],
        },
    }
]
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
# The language that somebody chose, in their browser; without it the browser's own preference counts.
LANGUAGE_COOKIE_NAME = f"{COOKIE_PREFIX}language"
# What people translate is in the sources, what is read from it is made of that: see languages.py.
CATALOGUES = BASE_DIR / "locale"
LOCALE_PATHS = [WB_HOME / "locale"]
USE_I18N = True
TIME_ZONE = "UTC"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# The largest body of a request that is not a file. Messages carry an invoice and its refusal, some of them scanned.
DATA_UPLOAD_MAX_MEMORY_SIZE = environment.integer("DATA_UPLOAD_MAX_MEMORY_SIZE", default=10 * 1024 * 1024, minimum=1024)
FILE_UPLOAD_HANDLERS = ["workbench.uploads.OneProof"]
# The same of a request that hands messages in, which may have thousands; some times as much is in memory meanwhile.
MESSAGES_MAX_BYTES = environment.integer("WB_MESSAGES_MAX_BYTES", default=64 * 1024 * 1024, minimum=1024)
STATIC_URL = "static/"
STATIC_ROOT = WB_HOME / "static"
STATICFILES_DIRS = [path for path in [BASE_DIR / "static"] if path.is_dir()]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": {
            "test": "django.contrib.staticfiles.storage.StaticFilesStorage",
            # Compressing takes half a minute, which a first start should not, and is of no use on one machine.
            "development": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage",
            "production": "whitenoise.storage.CompressedManifestStaticFilesStorage",
        }[PROFILE]
    },
}
# Tests serve what the finders find, so that no test needs `collectstatic` first.
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = PROFILE == "test"
WHITENOISE_ALLOW_ALL_ORIGINS = False  # no other site uses our files

# Where watched folders lie.
INTAKE_FOLDER = Path(environment.text("WB_INTAKE_FOLDER", default=str(WB_HOME / "intake")))

# Below it lie the folders of archives that are folders; empty: no archive may be one.
ARCHIVE_FOLDER = environment.text("WB_ARCHIVE_FOLDER")

# Messages of all connections together that may wait to be read; beyond it every sender is told to wait.
INTAKE_MOST_PENDING = environment.integer("WB_INTAKE_MOST_PENDING", default=1_000_000, minimum=1)

# Database -------------------------------------------------------------------------------------------------------

# DATABASE_URL is the role that serves, DATABASE_OWNER_URL the role that owns the schema and migrates it.
# WB_DATABASE_ROLE=owner, set by manage.py for commands that change the schema, makes this process the owner.
DATABASE_ROLE = environment.choice("WB_DATABASE_ROLE", ("application", "owner"), default="application")
_DATABASE_URL = environment.secret("DATABASE_URL")
_DATABASE_OWNER_URL = environment.secret("DATABASE_OWNER_URL")
if PRODUCTION:
    environment.required("DATABASE_URL", write="postgresql://USER:PASSWORD@HOST:5432/DATABASE")
APPLICATION_DATABASE = environment.database(_DATABASE_URL, name="DATABASE_URL") if _DATABASE_URL else {}
OWNER_DATABASE = (
    environment.database(_DATABASE_OWNER_URL, name="DATABASE_OWNER_URL")
    if _DATABASE_OWNER_URL
    else APPLICATION_DATABASE
)
DATABASES = {"default": dict(OWNER_DATABASE if DATABASE_ROLE == "owner" else APPLICATION_DATABASE)}
if DATABASES["default"]:
    DATABASES["default"] |= {
        "CONN_MAX_AGE": environment.integer("CONN_MAX_AGE", default=60),
        "CONN_HEALTH_CHECKS": True,
    }

# Celery: rings, and PostgreSQL knows ----------------------------------------------------------------------------

REDIS_URL = environment.secret("REDIS_URL")
CELERY_BROKER_URL = environment.celery_broker(REDIS_URL) if REDIS_URL else "memory://"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # however long the broker is away, workers are there when it is back
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 60,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    # A publisher waits this long for the broker, since a person's request waits with it.
    "socket_connect_timeout": 2,
    # One that accepts connections and does not answer would otherwise hold every request for ever.
    "socket_timeout": 3,
    "retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2},
}
CELERY_TASK_PUBLISH_RETRY = False  # the sweeper finds what a lost nudge left behind
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_STORE_ERRORS_EVEN_IF_IGNORED = False
CELERY_TASK_ACKS_LATE = False  # the lease in the database recovers a dead worker's rows, without poison loops
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 5
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_TASK_TIME_LIMIT = 300
CELERY_TIMEZONE = "UTC"

CACHES: dict[str, dict[str, object]]
if REDIS_URL and PROFILE != "test":
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            # Seconds. It counts attempts and requests; a person's request waits with it when it does not answer.
            "OPTIONS": {"socket_connect_timeout": 2, "socket_timeout": 2},
        }
    }
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# Integrations and audit -----------------------------------------------------------------------------------------

# The first key encrypts the credentials of connections and the second factors of people, all of them decrypt:
# `./run manage generate_key` makes one.
if PRODUCTION:
    environment.required("FIELD_ENCRYPTION_KEYS", write="a key from `manage.py generate_key`, later ones before it")
    environment.required("AUDIT_SIGNING_KEY", write="the base64 of 32 random bytes (openssl rand -base64 32)")
FIELD_ENCRYPTION_KEYS = [key.strip() for key in environment.secret("FIELD_ENCRYPTION_KEYS").split(",") if key.strip()]
if PROFILE == "test" and not FIELD_ENCRYPTION_KEYS:
    FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
INTEGRATIONS_ALLOWED_HOSTS = environment.words("INTEGRATIONS_ALLOWED_HOSTS")
INTEGRATIONS_ALLOWED_NETWORKS = environment.words("INTEGRATIONS_ALLOWED_NETWORKS")
INTEGRATIONS_ALLOW_LOOPBACK = environment.boolean("INTEGRATIONS_ALLOW_LOOPBACK", default=not PRODUCTION)
# A source that hangs holds one worker process until its time is over, so never all of them may wait for sources.
PULLS_AT_ONCE = environment.integer("WB_PULLS_AT_ONCE", default=1, minimum=1)
# What an enqueued delivery rings; a lost ring is found by the sweeper.
DOORBELL_TASK = "exceptions_app.tasks.sweep"
# Checkpoints of the audit log: a name that never changes afterwards, the key that signs (base64 of 32 bytes, made on
# first use in development), public halves of keys that signed earlier, a file on another volume that receives them.
AUDIT_ORIGIN = environment.text("AUDIT_ORIGIN", default="exception-workbench")
AUDIT_SIGNING_KEY = environment.secret("AUDIT_SIGNING_KEY")
AUDIT_VERIFIER_KEYS = environment.words("AUDIT_VERIFIER_KEYS")
AUDIT_CHECKPOINT_SINK = environment.text("AUDIT_CHECKPOINT_SINK")
# The simulator that `./run` starts for the demonstration; empty where there is none.
SIMULATOR_URL = environment.text("WB_SIMULATOR_URL")
SIMULATOR_TOKEN = environment.secret("SIMULATOR_TOKEN")
SIMULATOR_WEBHOOK_SECRET = environment.secret("SIMULATOR_WEBHOOK_SECRET")

# What is handed over for delivery waits this long for what must come before it, unless its sender says otherwise.
# How often what is proven is compared with the lists of the targets.
COMPARE_EVERY_SECONDS = environment.integer("COMPARE_EVERY_SECONDS", default=86_400, minimum=60)
# In which the money of all legal entities is compared.
GROUP_CURRENCY = environment.text("WB_GROUP_CURRENCY", default="EUR").upper()
# Above this, in the currency of the group, a decision wants a proof of who decides that is no older than five minutes.
PROOF_ABOVE = environment.integer("WB_PROOF_ABOVE", default=50_000)
# How long somebody who asked for the masked values of an exception sees them.
REVEAL_MINUTES = min(environment.integer("WB_REVEAL_MINUTES", default=15, minimum=1), 480)
HANDOVER_WAIT_SECONDS = environment.integer("HANDOVER_WAIT_SECONDS", default=86_400, minimum=1)

# API ------------------------------------------------------------------------------------------------------------

API_REQUESTS_PER_MINUTE = environment.integer("API_REQUESTS_PER_MINUTE", default=1200, minimum=1)
API_REQUIRE_IF_MATCH = environment.boolean("API_REQUIRE_IF_MATCH", default=False)
REST_FRAMEWORK = {
    "DEFAULT_THROTTLE_CLASSES": ["workbench.throttling.AccountThrottle"],
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "workbench.tokens.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.CursorPagination",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "exceptions_app.api.problems.problem_handler",
    "PAGE_SIZE": 50,
    "UPLOADED_FILES_USE_URL": False,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Exception Workbench",
    "DESCRIPTION": "Repair failed and held finance transactions: correct, approve, replay exactly once, prove it.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # Opened out, more than a hundred operations are drawn as far as one scrolls, and nobody sees what there is.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "docExpansion": "none"},
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "exceptions_app.api.schema.share_refusals",
    ],
    # Fields of one name and with other choices: one of them has to be named.
    "ENUM_NAME_OVERRIDES": {"ValueKindEnum": "exceptions_app.api.value_mapping_shapes.KINDS"},
}

# Logs -----------------------------------------------------------------------------------------------------------

LOGGING = logs.configuration(as_json=PRODUCTION, level=environment.text("LOG_LEVEL", default="INFO"))
