"""What people see of an image set: summary, HTML report, figure, inspection."""
