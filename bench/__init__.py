"""Side by side with others, in one run: what a request, a connection and a logon cost. Not part of the installed package.

`python -m bench` compares exfront with nginx and Apache; `python -m bench --help` names the other measurements. Start reading at
`bench.__main__`, then `bench.contenders` (who is compared) and `bench.rounds` (how).
"""
