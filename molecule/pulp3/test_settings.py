"""Whatever the form of Pulp 3's configuration: what is found is where Pulp's own connections go, or it is refused."""

import unittest

from harness.forms.claims import FormsClaims


class Forms(FormsClaims):
    COUNT = 30


del FormsClaims

if __name__ == "__main__":
    unittest.main()
