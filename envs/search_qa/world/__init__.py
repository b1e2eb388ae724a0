"""A seeded world to ask about: countries of a hundred articles, each computable from the seed and its number alone."""
