"""How good and how fast the anomaly detector is: `python -m bench anomaly`.

`nab` scores it by the rules of the Numenta Anomaly Benchmark, `injections` on anomalies put into
real series, `scale` measures memory and speed for many series.
"""
