"""Bundles to other people and from them: folders, .zip files and repositories of the hub. Above `runs/`, whose folders
it packs; what comes from others is verified here before anything else of it is read."""
