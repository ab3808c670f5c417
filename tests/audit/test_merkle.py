import hashlib

import pytest

from audit.merkle import CompactRange, leaf_hash

# The leaves that Certificate Transparency logs test with.
ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]


def merkle_tree_hash(entries: list[bytes]) -> bytes:
    """MTH as RFC 6962 section 2.1 writes it: split at the largest power of two below n."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return hashlib.sha256(b"\x01" + merkle_tree_hash(entries[:k]) + merkle_tree_hash(entries[k:])).digest()


@pytest.mark.parametrize(
    ("size", "root"),
    [
        (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
        (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
        (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
    ],
)
def test_root_equals_published_vector(size, root):
    tree = CompactRange()
    tree.extend(leaf_hash(entry) for entry in ENTRIES[:size])
    assert tree.root().hex() == root


def test_root_equals_definition_for_every_size_whether_resumed_or_not():
    entries = [number.to_bytes(2, "big") for number in range(130)]
    tree = CompactRange()
    for size, entry in enumerate(entries, start=1):
        tree = CompactRange(tree.size, tree.frontier)
        tree.append(leaf_hash(entry))
        assert (tree.size, tree.root()) == (size, merkle_tree_hash(entries[:size]))


@pytest.mark.parametrize(("size", "frontier"), [(-1, b""), (3, b"x" * 32), (2, b"x" * 31), (0, b"x" * 32)])
def test_compact_range_refuses_state_that_does_not_fit_its_size(size, frontier):
    with pytest.raises(ValueError, match="subtree hashes of 32 bytes"):
        CompactRange(size, frontier)
