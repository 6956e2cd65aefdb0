"""Sample back-ends, for trying exfront out: they show what reached them. No part of the front-end."""
