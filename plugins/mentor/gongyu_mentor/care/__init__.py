"""关爱: a plan for a child who needs more, who looks after it, and what came of it."""
