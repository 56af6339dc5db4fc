"""The alarm centre's hour under fault, run again."""
