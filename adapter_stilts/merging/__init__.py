"""Several adapters become one by arithmetic on their tensors: what each kind's tensors mean (deltas.py), the methods
(methods.py), and the two together (merge.py). Tensors and numbers in, tensors out; no files and no runs."""
