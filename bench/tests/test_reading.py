"""Reading figures off a sweep."""

import math

import numpy as np
import pytest

from sidebyside.reading import field_at, frontier, medians, qps_at, recall, spread

SWEEP = [
    {"ef": 10, "recall": 0.80, "qps": 10000.0, "distances": 100.0},
    {"ef": 20, "recall": 0.90, "qps": 4000.0, "distances": 300.0},
    {"ef": 40, "recall": 1.00, "qps": 1000.0, "distances": 700.0},
]


def test_qps_is_log_linear_between_two_points():
    reading = qps_at(SWEEP, 0.95)
    assert reading is not None and not reading.at_least
    assert reading.value == pytest.approx(math.sqrt(4000 * 1000))


def test_qps_on_a_point_is_that_points():
    assert qps_at(SWEEP, 0.90).value == pytest.approx(4000)
    assert not qps_at(SWEEP, 0.80).at_least


def test_qps_below_the_sweep_is_a_lower_bound_and_above_it_unknown():
    reading = qps_at(SWEEP, 0.5)
    assert reading.value == 10000 and reading.at_least
    assert qps_at(SWEEP[:2], 0.95) is None
    assert qps_at([], 0.5) is None


def test_a_point_that_another_beats_is_left_out():
    beaten = {"ef": 15, "recall": 0.85, "qps": 3000.0}
    assert frontier([*SWEEP, beaten]) == SWEEP
    assert qps_at([*SWEEP, beaten], 0.95) == qps_at(SWEEP, 0.95)


def test_other_fields_are_linear():
    assert field_at(SWEEP, "distances", 0.95) == pytest.approx(500)
    assert field_at(SWEEP, "distances", 0.5) is None
    assert field_at(SWEEP, "hops", 0.95) is None


def test_medians_go_setting_by_setting_and_skip_what_not_all_rows_have():
    sweeps = [
        [{"ef": 10, "recall": 0.9, "qps": q, **more}] for q, more in ((3, {"hops": 1}), (1, {}), (2, {"hops": 5}))
    ]
    assert medians(sweeps) == [{"ef": 10, "recall": 0.9, "qps": 2}]


def test_recall_counts_ids_in_any_order_and_once():
    assert recall(np.array([[1, 2], [5, 5]], np.uint64), np.array([[2, 1], [5, 6]])) == 0.75


def test_spread():
    faster = [{**row, "qps": row["qps"] * 1.5} for row in SWEEP]
    assert spread([SWEEP, faster], 0.90) == pytest.approx(0.4)
    assert spread([SWEEP], 0.90) is None
