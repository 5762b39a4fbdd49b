"""What an identity provider does when somebody logs in, for the demo: by a library that is not
Keyreeve's. On standard input come the hash that the store has, in one line, and the password that was
typed, in the next. Neither is ever printed or an argument.
"""

import sys

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

hash_in_store, typed = sys.stdin.read().splitlines()
try:
    Argon2id.verify_phc_encoded(typed.encode(), hash_in_store)
except InvalidKey:
    sys.exit("wrong password")
print("welcome")
