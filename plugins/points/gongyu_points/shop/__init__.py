"""The self-service shop (书坊驿站): goods, privileges and events for points, online, at the till and at a kiosk."""
