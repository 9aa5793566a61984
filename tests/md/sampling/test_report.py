from fidsel.md.sampling.report import SampleReport, TrajectoryReport


def test_frames_closer_than_either_time_are_correlated() -> None:
    one = TrajectoryReport("T300-c0", 300.0, 5, interval=100.0, energy_time=80.0, geometry_time=120.0)
    assert one.correlated
    assert not TrajectoryReport("T300-c0", 300.0, 5, interval=120.0, geometry_time=120.0).correlated
    assert not TrajectoryReport("T300", 300.0, 5).correlated, "independent draws"


def test_trajectories_that_left_are_counted() -> None:
    stayed, left = TrajectoryReport("a", 300.0, 5), TrajectoryReport("b", 300.0, 2, left="torn bond")
    assert SampleReport("md", 1, (stayed, left, left)).left == 2
    assert SampleReport("md", 1, ()).left == 0
