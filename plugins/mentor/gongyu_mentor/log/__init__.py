"""The mentor's log of a child (导育记录册), what the child and the mentor write together, and the handing over."""
