"""Who may read: users with passwords, and signed links.

accounts ──> password_check     a user and a password are right or wrong
signer, cookies                 a link was signed, and is still valid
protected_paths                 a path needs one of them
private_responses               the fields of a response that only some may read
"""
