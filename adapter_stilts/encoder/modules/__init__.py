"""The modules that adapters are made of, one file beside its paper each; none of them knows the trunk's family."""
