"""Acknowledged requests on disk: takes records, gives positions, keeps them until retention takes whole segments."""

from monitorx.backend.journal.file_journal import FileJournal
from monitorx.backend.journal.journal import Journal, Keys, Record
from monitorx.backend.journal.limit import Counters, Limits

__all__ = ["Counters", "FileJournal", "Journal", "Keys", "Limits", "Record"]
