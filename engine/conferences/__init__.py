"""Conferences: rooms by tenant and name, who is in them, and what they tell."""

from santral.engine.conferences.conferences import Conference, Conferences, Manners, Member, RoomSettings, Sounds

__all__ = ["Conference", "Conferences", "Manners", "Member", "RoomSettings", "Sounds"]
