"""Tests of the blocks; a package, so that two folders may hold a file of the same name."""
