"""Which sound files a route may play: those inside its tenant's folder and the embedded ones, and nothing outside."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

EMBEDDED_SOUNDS: Final = Path(__file__).resolve().parents[1] / "sounds"
SPOKEN: Final = ("en", "tr")  # languages of the embedded speech; the first where a tenant's is another
PLAYABLE: Final = (  # suffixes the media decoder takes
    ".aac", ".aif", ".aiff", ".au", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav", ".webm",
)  # fmt: skip


class SoundError(ValueError):
    """A sound that cannot be played."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound file and the folder it was found in; both absolute, without links."""

    file: Path
    folder: Path


def find_sound(name: str, tenant_folder: Path | None, language: str | None = None) -> Sound:
    """The file of this relative name in the tenant's folder, that of its language there first, else among the embedded
    ones. Raises SoundError.
    """
    if Path(name).suffix.lower() not in PLAYABLE:
        raise SoundError(f"{name} is none of {', '.join(PLAYABLE)}")
    if "\0" in name or Path(name).is_absolute():
        raise SoundError(f"{name} must be a path inside the sounds folder")
    spoken = tenant_folder / language if tenant_folder and language else None
    for folder in filter(None, (spoken, tenant_folder, EMBEDDED_SOUNDS)):
        home = folder.resolve()
        file = (home / name).resolve()
        if not file.is_relative_to(home):
            raise SoundError(f"{name} lies outside {folder}")
        if file.is_file():
            return Sound(file, home)
    searched = f"{tenant_folder} or among" if tenant_folder else "among"
    raise SoundError(f"there is no {name} in {searched} the embedded sounds")


def find_speech(name: str, tenant_folder: Path | None, language: str | None) -> Sound:
    """The same, and else ours of that name in the tenant's language. Raises SoundError."""
    try:
        return find_sound(name, tenant_folder, language)
    except SoundError as problem:
        ours = str(language or "").partition("-")[0]
        spoken = EMBEDDED_SOUNDS / (ours if ours in SPOKEN else SPOKEN[0])
        if Path(name).name != name or not (spoken / name).is_file():
            raise problem from None
        return find_sound(f"{spoken.name}/{name}", None)
