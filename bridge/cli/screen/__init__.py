"""A terminal screen of what a bridge publishes: prices, book, orders, health."""
