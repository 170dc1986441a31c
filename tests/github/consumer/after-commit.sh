#!/bin/sh
# What is run after a commit in production: nothing, until a test writes something.
