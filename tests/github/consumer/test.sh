#!/bin/sh
# Writes a report as a test runner does.
mkdir -p reports .kept
python3 - >reports/junit.xml <<'TEST'
import shop

failed = 0 if shop.VERSION.startswith("v") else 1
print(f'<testsuite name="shop" tests="1" failures="{failed}"><testcase classname="shop" name="it has a version">')
print('<failure message="it has none"/>' if failed else "")
print("</testcase></testsuite>")
TEST
