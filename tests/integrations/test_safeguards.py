"""A safeguard is removed in a rehearsal and nowhere else."""

import pytest

from integrations.delivery import safeguards
from integrations.delivery.safeguards import NotARehearsal, Safeguard, remove, stands


@pytest.mark.django_db
@pytest.mark.parametrize("safeguard", Safeguard)
def test_safeguard_stands_where_business_is_done(safeguard: Safeguard):
    with pytest.raises(NotARehearsal, match=f"Only a rehearsal may take away the safeguard {safeguard}"):
        remove(safeguard)
    assert stands(safeguard)


@pytest.mark.django_db
def test_safeguard_no_variable_takes_it_away(monkeypatch: pytest.MonkeyPatch):
    """What a rehearsal tells its workers means nothing to the product's own modules."""
    for name in ("WB_REHEARSAL_WITHOUT", "WB_WITHOUT", "REHEARSAL"):
        monkeypatch.setenv(name, ",".join(Safeguard))
    assert all(stands(safeguard) for safeguard in Safeguard)
    assert "environ" not in vars(safeguards)
