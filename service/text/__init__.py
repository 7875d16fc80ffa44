"""What a text is made of: pure functions that judge or change texts. They know no database, no settings and no form."""
