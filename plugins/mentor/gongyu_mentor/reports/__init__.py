"""The mandatory report (强制报告, 未成年人保护法 11): two taps, never withdrawn, hidden from whom it suspects."""
