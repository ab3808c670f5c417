"""What Django's test client keeps of the pages that it is given."""

import pytest
from django.template import Context, RequestContext, Template
from django.test.signals import template_rendered


def keep_contexts_of_pages_alone(patch: pytest.MonkeyPatch) -> None:
    """`response.context` holds what a page was drawn with, and no more what each part and each field of it was.

    Django copies the context for each of them, some two hundred for a page, in circles that only the collector of
    garbage finds: a sixth of the time of such tests went to that.
    """
    patch.setattr(Template, "_render", _render)


def _render(template: Template, context: Context) -> str:
    if isinstance(context, RequestContext) and context.template is template:
        template_rendered.send(sender=template, template=template, context=context)
    return template.nodelist.render(context)
