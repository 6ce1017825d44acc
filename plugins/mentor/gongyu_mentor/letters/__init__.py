"""The principal's mailbox (校长信箱): letters in confidence, named or anonymous, with a clock on the answer."""
