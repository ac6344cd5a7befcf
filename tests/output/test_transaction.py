"""The file object as such; that a fields file survives interruptions is shown in test_fields."""

import os

import pytest

from phasefield.output.transaction import Transaction


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(bytes(range(10)))
    return path


def write_at(transaction, offset, block):
    transaction.seek(offset)
    transaction.write(block)


def test_old_bytes_change_only_at_a_commit(path):
    transaction = Transaction(path)
    write_at(transaction, 2, b"ab")
    write_at(transaction, 12, b"cd")
    assert path.read_bytes()[:10] == bytes(range(10))
    transaction.seek(0)
    assert transaction.read(14) == bytes([0, 1]) + b"ab" + bytes([4, 5, 6, 7, 8, 9, 0, 0]) + b"cd"
    transaction.flush()
    assert path.read_bytes() == bytes([0, 1]) + b"ab" + bytes([4, 5, 6, 7, 8, 9, 0, 0]) + b"cd"
    transaction.truncate(3)
    transaction.finish()
    transaction.close()
    assert path.read_bytes() == bytes([0, 1]) + b"a"


@pytest.mark.parametrize(("end", "order"), [(12, [0, 4, 6]), (8, [4, 6, 0])])
def test_the_superblock_comes_first_when_the_file_grows_and_last_when_it_shrinks(path, end, order):
    transaction = Transaction(path)
    for offset in (4, 0, 6):
        write_at(transaction, offset, b"ab")
    transaction.truncate(end)
    put, calls = transaction._put, []
    transaction._put = lambda offset, block: (calls.append(offset), put(offset, block))
    transaction.finish()
    transaction.close()
    journal, *blocks = calls
    assert journal == max(end, 10)
    assert blocks == order
    assert path.stat().st_size == end


def test_giving_up_restores_the_file(path):
    transaction = Transaction(path)
    write_at(transaction, 2, b"ab")
    write_at(transaction, 12, b"cd")
    transaction.give_up()
    write_at(transaction, 4, b"ef")
    transaction.finish()
    transaction.close()
    assert path.read_bytes() == bytes(range(10))


def test_an_unfinished_commit_is_finished_by_the_next_writer(path):
    transaction = Transaction(path)
    write_at(transaction, 2, b"ab")
    write_at(transaction, 10, b"new")
    write_at(transaction, 6, b"cd")
    put, calls = transaction._put, []

    def put_until_killed(offset, block):
        calls.append(offset)
        if offset == 6:
            raise OSError(5, "stands for a kill")
        put(offset, block)

    transaction._put = put_until_killed
    with pytest.raises(OSError, match="stands for a kill"):
        transaction.finish()
    transaction.close()
    assert calls == [13, 2, 6]  # the journal, then the blocks
    torn = path.read_bytes()
    assert torn[:13] == bytes([0, 1]) + b"ab" + bytes([4, 5, 6, 7, 8, 9]) + b"new"
    assert len(torn) > 13
    Transaction(path).close()
    assert path.read_bytes() == bytes([0, 1]) + b"ab" + bytes([4, 5]) + b"cd" + bytes([8, 9]) + b"new"
    path.write_bytes(torn[:20] + b"!" + torn[21:])  # a journal that is itself damaged is none
    size = os.path.getsize(path)
    Transaction(path).close()
    assert os.path.getsize(path) == size
