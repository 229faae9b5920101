"""What the claims of all scenarios need: the labs as they really are (lab.py), and plays as processes of their own (play.py)."""
