"""cronie: tables of commands and the times at which they run.

What belongs here: crond and crontab. What does not: mail, @reboot of another boot. Runs inside the instance, by this
machine's interpreter: standard library only.
"""
