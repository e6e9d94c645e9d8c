from yolov1_fo.pipeline import shuffling


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
