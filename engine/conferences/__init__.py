"""Conferences: rooms by tenant and name, who is in them, and what they tell."""

from santral.engine.conferences.conferences import Conference, Conferences, Member, RoomSettings, Sounds

__all__ = ["Conference", "Conferences", "Member", "RoomSettings", "Sounds"]
