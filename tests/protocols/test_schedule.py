from protocols.schedule import Schedule


def test_rounds_grow_and_replicas_join_where_workers_are_free(tmp_path):
    schedule = Schedule(tmp_path / "a" / "s.json", 2, fixed=False)
    assert schedule.decide(0, share_of_workers=1) == (1, 1)
    assert schedule.decide(1, share_of_workers=3) == (2, 2, 1)
    assert schedule.decide(2, share_of_workers=1) == (3, 3, 2)


def test_a_fixed_number_of_replicas_stays(tmp_path):
    schedule = Schedule(tmp_path / "s.json", 3, fixed=True)
    assert schedule.decide(0, share_of_workers=8) == (1, 1, 1)


def test_a_resumed_run_takes_the_same_decisions_and_then_new_ones(tmp_path):
    file = tmp_path / "s.json"
    first = Schedule(file, 2, fixed=False)
    decided = [first.decide(step, share) for step, share in enumerate([2, 4, 4])]
    again = Schedule(file, 2, fixed=False)
    assert [again.decide(step, share_of_workers=9) for step in range(3)] == decided
    assert again.decide(3, share_of_workers=5) == (4, 4, 3, 3, 1)


def test_a_damaged_file_is_kept_and_decided_anew(tmp_path, caplog):
    file = tmp_path / "s.json"
    file.write_text("[[1, 1], [")
    assert Schedule(file, 2, fixed=False).decide(0, 2) == (1, 1)
    assert (tmp_path / "s.json.corrupt-1").exists()
    assert "s.json" in caplog.text


def test_replicas_join_only_within_the_runs_that_a_limit_allows(tmp_path):
    schedule = Schedule(tmp_path / "s.json", 2, fixed=False, most_runs=7)
    assert schedule.decide(0, share_of_workers=3) == (1, 1, 1)
    assert schedule.next(1, share_of_workers=6) == (2, 2, 2, 1)
    assert schedule.decide(1, share_of_workers=6) == (2, 2, 2, 1)
    assert schedule.next(2, share_of_workers=6) == (3, 3, 3, 2)
    many = Schedule(tmp_path / "t.json", 2, fixed=False, most_runs=2)
    assert many.decide(0, share_of_workers=4) == (1, 1)
