"""What the scripts of the pages say by themselves, by the name by which a script asks for it: `word("draft-saved")`."""

from collections.abc import Mapping
from types import MappingProxyType

from django.utils.translation import gettext_lazy

WORDS: Mapping[str, object] = MappingProxyType(
    {
        "close-message": gettext_lazy("Close message"),
        "unreached": gettext_lazy("The server could not be reached. What you typed is still here; try again."),
        "too-slow": gettext_lazy(
            "The server took too long to answer. What you typed is still here; reload before you try again."
        ),
        "refused": gettext_lazy("You may not do this, or you were signed out."),
        "not-there": gettext_lazy("This no longer exists, or you may not see it."),
        "too-large": gettext_lazy("What you sent is too large, and nothing was changed. It is still here; shorten it."),
        "answered-with-error": gettext_lazy(
            "The server answered with an error ({status}). Nothing was changed by this page."
        ),
        "reference": gettext_lazy("Reference {reference}."),
        "copied": gettext_lazy("Copied {text}"),
        "not-copied": gettext_lazy("The browser did not allow copying. Select the text and copy it by keyboard."),
        "kept-here-only": gettext_lazy("Kept for this page only: the server could not be reached."),
        "field-changed": gettext_lazy("1 field changed"),
        "fields-changed": gettext_lazy("{number} fields changed"),
        "draft-not-yet": gettext_lazy("Not saved yet"),
        "draft-saved": gettext_lazy("Draft saved {time}"),
        "draft-saved-beside": gettext_lazy(
            "Draft saved {time}. A colleague saved another version; saving compares the two."
        ),
        "draft-older": gettext_lazy(
            "Draft not saved: the one that you began later, for a newer version, is kept. Your input is still here."
        ),
        "draft-signed-out": gettext_lazy(
            "Draft not saved: your sign-in has ended. Sign in in another tab; this page keeps what you typed."
        ),
        "draft-refused": gettext_lazy("Draft not saved: the server answered {status}. Your input is still here."),
        "draft-unreached": gettext_lazy("Draft not saved: the server could not be reached. Your input is still here."),
        "on-this-page": gettext_lazy("on this page"),
        "go-to": gettext_lazy("go to"),
        "search-for": gettext_lazy("Search for “{text}”"),
        "to-choose-from": gettext_lazy("{number} to choose from"),
    }
)


def in_words() -> dict[str, str]:
    """All of them, in the language that is in force."""
    return {name: str(words) for name, words in WORDS.items()}
