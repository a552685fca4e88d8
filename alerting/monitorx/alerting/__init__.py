"""From a condition that holds to a message in somebody's hands: state, grouping, routing, delivery."""
