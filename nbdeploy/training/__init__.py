"""ImageSet -> Learner: the only place that imports fastai's training side, and only when a Learner is asked for."""
