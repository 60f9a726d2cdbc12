"""What each verb asks for: its options, added to a parser. A file a group of verbs."""
