from protocols.schedule import Schedule


def test_rounds_grow_and_replicas_join_where_workers_are_free(tmp_path):
    schedule = Schedule(tmp_path / "a" / "s.json", 2, fixed=False)
    assert schedule.rounds(0, share_of_workers=1) == (1, 1)
    assert schedule.rounds(1, share_of_workers=3) == (2, 2, 1)
    assert schedule.rounds(2, share_of_workers=1) == (3, 3, 2)


def test_a_fixed_number_of_replicas_stays(tmp_path):
    schedule = Schedule(tmp_path / "s.json", 3, fixed=True)
    assert schedule.rounds(0, share_of_workers=8) == (1, 1, 1)


def test_a_resumed_run_takes_the_same_decisions_and_then_new_ones(tmp_path):
    file = tmp_path / "s.json"
    first = Schedule(file, 2, fixed=False)
    decided = [first.rounds(step, share) for step, share in enumerate([2, 4, 4])]
    again = Schedule(file, 2, fixed=False)
    assert [again.rounds(step, share_of_workers=9) for step in range(3)] == decided
    assert again.rounds(3, share_of_workers=5) == (4, 4, 3, 3, 1)


def test_a_damaged_file_is_kept_and_decided_anew(tmp_path, caplog):
    file = tmp_path / "s.json"
    file.write_text("[[1, 1], [")
    assert Schedule(file, 2, fixed=False).rounds(0, 2) == (1, 1)
    assert (tmp_path / "s.json.corrupt-1").exists()
    assert "s.json" in caplog.text
