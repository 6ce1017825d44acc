"""What a school asks of mentors before they talk with children: a training session, and a clear criminal record."""
