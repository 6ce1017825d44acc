"""The rights of the child and of everybody else here: consent, copy, correction, erasure, and an end to keeping.

Sources: 个人信息保护法 (PIPL), 未成年人网络保护条例, 未成年人保护法.
"""
