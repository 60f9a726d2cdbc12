"""One model on its way: the choice, the work beside with its steps, the result, and taking it back; no notebook."""
