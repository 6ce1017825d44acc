"""谈心谈话: what is said between a mentor and a child, what was promised, and which children were not reached."""
