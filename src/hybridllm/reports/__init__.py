"""Floor 6: after the money is spent. Spend and savings, computed here and only printed in cli."""
