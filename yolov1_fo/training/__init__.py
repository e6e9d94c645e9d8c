"""Training and pretraining: plan, loop, learner, optimizers, callbacks, resume."""
