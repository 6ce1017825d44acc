"""The wellbeing curve (心理曲线), who may see it and who did, and the answer to "I want to talk"."""
