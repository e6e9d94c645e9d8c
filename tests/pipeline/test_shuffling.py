import numpy as np
import pytest

from yolov1_fo.pipeline import shuffling

ORDER = [6, 0, 2, 3, 7, 5, 1, 4]  # numpy.random.default_rng([7, 2]).permutation(8)


def test_each_epoch_has_another_permutation():
    orders = [shuffling.epoch_order(50, 7, epoch).tolist() for epoch in range(3)]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert orders[0] != orders[1] != orders[2]
    assert shuffling.epoch_order(50, 7, 1).tolist() == orders[1]
    assert shuffling.epoch_order(50, 8, 1).tolist() != orders[1]


def test_an_epoch_contains_no_image_twice():
    steps = [shuffling.rows_of_step(step, 8, 3, seed=1).tolist() for step in range(8)]
    epochs = [steps[i] + steps[i + 1] for i in range(0, 8, 2)]
    assert all(len(set(epoch)) == 6 for epoch in epochs)
    left_out = {tuple(set(range(8)) - set(epoch)) for epoch in epochs}
    assert len(left_out) > 1


def test_the_order_without_weights_never_changes():
    """Runs of earlier versions resume with the order that they had."""
    assert shuffling.epoch_order(8, 7, 2).tolist() == ORDER
    assert shuffling.rows_of_step(5, 8, 3, seed=7).tolist() == ORDER[3:6]


@pytest.fixture
def sampler(rng):
    weights = rng.uniform(0, 1, 40) ** 3
    weights[[3, 8, 39]] = 0.0
    return shuffling.Sampler(weights / weights.sum(), rng.integers(0, 4, 40))


def test_an_epoch_draws_each_image_and_group_by_its_weight(sampler):
    for epoch in range(20):
        rows = sampler.draw(100, 7, epoch)
        counts = np.bincount(rows, minlength=40)
        assert counts.sum() == len(rows) == 100
        assert np.abs(counts - 100 * sampler.weights).max() < 1
        assert not counts[sampler.weights == 0].any()
        for group in range(4):
            part = sampler.groups == group
            assert abs(counts[part].sum() - 100 * sampler.weights[part].sum()) < 1


def test_draws_are_fair_over_many_epochs(sampler):
    rows = np.concatenate([sampler.draw(20, 7, epoch) for epoch in range(2000)])
    shares = np.bincount(rows, minlength=40) / len(rows)
    np.testing.assert_allclose(shares, sampler.weights, atol=0.003)


def test_draws_depend_on_seed_epoch_and_weights_alone(sampler):
    same = shuffling.Sampler(sampler.weights.copy(), sampler.groups.copy())
    other = shuffling.Sampler(sampler.weights[::-1].copy(), sampler.groups)
    first = sampler.draw(40, 7, 1).tolist()
    assert same.draw(40, 7, 1).tolist() == first
    assert same.digest() == sampler.digest() != other.digest()
    different = [
        one.draw(40, *at).tolist()
        for one, *at in ((sampler, 8, 1), (sampler, 7, 2), (other, 7, 1))
    ]
    assert first not in different


def test_the_steps_of_an_epoch_are_one_draw(sampler):
    steps = [shuffling.rows_of_step(step, 40, 12, 7, sampler) for step in range(6)]
    for epoch in (0, 1):
        rows = np.concatenate(steps[3 * epoch : 3 * epoch + 3])
        assert rows.tolist() == sampler.draw(36, 7, epoch).tolist()
    stream = shuffling.rows_from_step(2, 40, 12, 7, slice(6, 12), sampler)
    taken = [next(stream) for _ in range(12)]
    assert taken == [*steps[2][6:].tolist(), *steps[3][6:].tolist()]
