"""The notebook widgets: `show`, `PianoRoll`, `InfillEditor`. Import the names from `midigpt_nb`."""
