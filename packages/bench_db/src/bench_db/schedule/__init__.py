"""What to measure next and how: ranges of commits, plans, and the two engines that carry them out."""
