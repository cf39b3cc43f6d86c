"""Runs in the forms of other libraries, and adapters of theirs as runs: one file per form, registered by being here.

Each file knows its library's file format; what needs the library itself is in libraries/, imported when it is used.
"""
